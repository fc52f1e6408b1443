"""A browser, as the tests of the app have it."""

from tests.app.conftest import new_browser as new_browser
