"""Who has signed an image, and whether the owner's policy lets it run: pure decisions over received bytes.

``parse_policy`` → ``Policy.requirements_for`` → ``require_accepted``. Nothing here fetches: keys and
signatures are arguments.
"""
