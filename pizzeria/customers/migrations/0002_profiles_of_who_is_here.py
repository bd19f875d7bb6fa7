from django.conf import settings
from django.db import migrations


def make_profiles(apps, schema_editor):
    """Give a profile to everybody who logged in before there were any."""
    Profile = apps.get_model("customers", "CustomerProfile")
    app, _, model = settings.AUTH_USER_MODEL.partition(".")
    users = apps.get_model(app, model).objects.using(schema_editor.connection.alias)
    without = users.filter(profile=None).values_list("pk", flat=True)
    Profile.objects.using(schema_editor.connection.alias).bulk_create(
        (Profile(user_id=pk) for pk in without.iterator()), batch_size=500
    )


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial")]

    operations = [migrations.RunPython(make_profiles, migrations.RunPython.noop)]
