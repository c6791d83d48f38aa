"""The steps by which `manage.py migrate` brings the journal up to date, and `showmigrations` lists it."""
