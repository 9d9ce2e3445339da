"""The same problem asked another way: phrasings, multiple choice, withheld labels, corruptions."""
