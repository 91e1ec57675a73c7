"""A finished run -> the files of a Space on the Hub, which shows the pushed model to everybody.

app_code   app.py: loads the model with its own library alone, without Graft
files      app.py, README.md and requirements.txt

No label and no text of users stands in them: the app reads labels from the model's config.
"""
