"""What people are told, and in which words: what is worth it, English and French, mails."""
