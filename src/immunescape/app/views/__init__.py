"""The pages of the app; they import shiny, and nothing outside this folder imports them before it is needed."""
