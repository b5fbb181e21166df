"""Property tests print how to repeat a failure and keep no files beside the sources."""

from hypothesis import settings

settings.register_profile("stele", database=None, print_blob=True, deadline=None)
settings.load_profile("stele")
