"""What people are told, and in which words: whether a run is worth it, English and French, mails."""
