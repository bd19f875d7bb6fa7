import copy

import pytest
from hypothesis import given

from sessions_backend.merge import absorb, merge, without_login
from tests.sessions_backend.test_record import records


def merged(base, earlier, later):
    return merge(base=base, earlier=earlier, later=later)


class TestMerge:
    def test_keeps_what_each_writer_added(self):
        assert merged({}, {"mario": 1}, {"luigi": 2}) == {"mario": 1, "luigi": 2}

    def test_keeps_what_each_writer_added_inside_an_object(self):
        base = {"cart": {"a": 1}}

        result = merged(base, {"cart": {"a": 1, "b": 2}}, {"cart": {"a": 1, "c": 3}})

        assert result == {"cart": {"a": 1, "b": 2, "c": 3}}

    def test_keeps_objects_that_both_writers_began(self):
        assert merged({}, {"cart": {"a": 1}}, {"cart": {"b": 2}}) == {
            "cart": {"a": 1, "b": 2}
        }

    def test_lets_the_later_writer_win_on_the_same_leaf(self):
        assert merged({"n": 0}, {"n": 1}, {"n": 2}) == {"n": 2}

    def test_takes_lists_whole(self):
        assert merged({"l": [1]}, {"l": [1, 2]}, {"l": [1, 3]}) == {"l": [1, 3]}

    def test_keeps_a_change_that_the_later_writer_did_not_touch(self):
        assert merged({"n": 0, "l": []}, {"n": 1, "l": []}, {"n": 0, "l": [1]}) == {
            "n": 1,
            "l": [1],
        }

    @pytest.mark.parametrize("removed_by_later", [True, False])
    def test_lets_a_removal_lose_against_a_change(self, removed_by_later):
        versions = ({"n": 1}, {}) if removed_by_later else ({}, {"n": 1})

        assert merged({"n": 0}, *versions) == {"n": 1}

    @pytest.mark.parametrize("removed_by_later", [True, False])
    def test_removes_what_one_writer_removed_and_none_changed(self, removed_by_later):
        versions = ({"n": 0}, {}) if removed_by_later else ({}, {"n": 0})

        assert merged({"n": 0}, *versions) == {}

    @pytest.mark.parametrize("removed_by_later", [True, False])
    def test_removes_what_one_writer_removed_inside_an_object(self, removed_by_later):
        without, with_more = {"cart": {"b": 1}}, {"cart": {"a": 1, "b": 1, "c": 1}}
        versions = (with_more, without) if removed_by_later else (without, with_more)

        result = merged({"cart": {"a": 1, "b": 1}}, *versions)

        assert result == {"cart": {"b": 1, "c": 1}}

    def test_notices_that_one_became_true(self):
        assert merged({"n": 1}, {"n": 1}, {"n": True})["n"] is True

    def test_takes_the_tokens_whole(self):
        base = {"tokens": {"access": "a0", "refresh": "r0"}}
        earlier = {"tokens": {"access": "a1", "refresh": "r1"}}
        later = {"tokens": {"access": "a0", "refresh": "r0", "seen": True}}

        assert merged(base, earlier, later) == later

    def test_keeps_tokens_that_only_the_earlier_writer_changed(self):
        base = {"tokens": {"access": "a0", "extra": 1}}
        earlier = {"tokens": {"access": "a1"}}
        later = {"tokens": {"access": "a0", "extra": 1}, "cart": {}}

        assert merged(base, earlier, later) == {**earlier, "cart": {}}

    def test_takes_djangos_login_keys_whole(self):
        base = {"_auth_user_id": "1", "_auth_user_hash": "h0", "_auth_x": 1}
        earlier = {"_auth_user_id": "1", "_auth_user_hash": "h1"}
        later = {**base, "_auth_y": 1, "cart": {}}

        assert merged(base, earlier, later) == later

    def test_a_login_key_that_the_later_login_lacks_does_not_stay(self):
        base = {"_auth_user_id": "1", "_auth_user_hash": "h0"}
        earlier = {**base, "_auth_x": 1}
        later = {"_auth_user_id": "1", "_auth_user_hash": "h2"}

        assert merged(base, earlier, later) == later

    def test_a_login_whose_key_was_removed_by_both_is_the_later_one(self):
        base = {"_auth_user_id": "1", "_auth_user_hash": "h0", "_auth_x": 1}
        earlier = {"_auth_user_id": "1", "_auth_user_hash": "h1"}
        later = {"_auth_user_id": "1", "_auth_user_hash": "h0"}

        assert merged(base, earlier, later) == later

    def test_tokens_that_were_removed_stay_away_when_another_filled_the_cart(self):
        base = {"tokens": {"access": "a0"}, "_auth_user_id": "1"}

        result = merged(base, {**base, "cart": {"a": 1}}, {})

        assert result == {"cart": {"a": 1}}

    def test_keeps_the_cart_of_the_visitor_who_logs_in_elsewhere(self):
        login = {"_auth_user_id": "1", "_auth_user_hash": "h"}

        assert merged({}, login, {"cart": {"a": 1}}) == {**login, "cart": {"a": 1}}

    def test_never_mixes_two_users_and_keeps_the_later_login(self):
        mario = {"_auth_user_id": "1", "cart": {"mario": 1}}
        luigi = {"_auth_user_id": "2", "cart": {"luigi": 1}}

        assert merged(mario, luigi, {**mario, "more": 1}) == luigi
        assert merged(mario, {**mario, "more": 1}, luigi) == luigi
        assert merged({}, mario, luigi) == luigi

    @given(records, records)
    def test_without_a_rival_each_writer_gets_what_it_wrote(self, base, changed):
        assert merged(base, base, changed) == changed
        assert merged(base, changed, base) == changed

    @given(records, records)
    def test_two_writers_of_the_same_thing_agree(self, base, changed):
        assert merged(base, changed, changed) == changed

    @given(records, records, records)
    def test_changes_nothing_that_it_was_given(self, base, earlier, later):
        given_before = copy.deepcopy((base, earlier, later))

        merged(base, earlier, later)

        assert (base, earlier, later) == given_before

    @given(records, records, records)
    def test_every_top_level_addition_survives(self, base, earlier, later):
        result = merged(base, earlier, later)

        added = (earlier.keys() | later.keys()) - base.keys()
        if not any(key.startswith("_auth_") for key in added):
            assert added <= result.keys()


class TestAbsorb:
    @given(records, records)
    def test_makes_the_one_equal_to_the_other(self, target, wanted):
        absorb(target, wanted)

        assert target == wanted

    def test_keeps_the_objects_that_a_view_holds(self):
        session = {"cart": {"a": 1}}
        held = session["cart"]

        absorb(session, {"cart": {"a": 1, "b": 2}})

        assert held is session["cart"]
        assert held == {"a": 1, "b": 2}

    def test_keeps_a_list_that_has_not_changed(self):
        session = {"toppings": ["basil"]}
        held = session["toppings"]

        absorb(session, {"toppings": ["basil"], "more": 1})

        assert held is session["toppings"]


class TestWithoutLogin:
    def test_leaves_the_cart_and_takes_who_somebody_is(self):
        record = {
            "cart": {"a": 1},
            "_auth_user_id": "1",
            "_auth_user_hash": "h",
            "tokens": {"access": "a"},
            "user_info": {"name": "Luigi"},
        }

        assert without_login(record) == {"cart": {"a": 1}}
