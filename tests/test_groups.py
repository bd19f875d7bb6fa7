import os

import pytest


@pytest.mark.xdist_group("of_its_own")
def test_xdist_hears_of_groups(request):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process has no groups")

    assert request.node.nodeid.endswith("@of_its_own")
