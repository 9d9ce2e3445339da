"""What the answer types read with: LaTeX, numerals, units, formulas, computer algebra."""
