r"""Formulas, read and computed with exactly: what verdicts and the checks of statements rest on.

    reading      "\\frac{1+\\sqrt{5}}{2}" as a value, or Unread where its meaning is not certain
    algebra      adds, multiplies, takes roots and powers of values, and counts the work
    enclosure    bounds of a value, rounded outwards: what proves that two differ
    polynomial   what values are made of: quotients of polynomials with rational coefficients

Nothing is rounded, guessed or evaluated as code. Text and numbers in, numbers out: what an answer
or a trace means by a formula is for those who ask.
"""
