"""Archives: members in, one standard ZIP out, and back."""
