"""The guest's end of the KBS protocol."""
