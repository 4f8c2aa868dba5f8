r"""Formulas, read and computed with exactly: what verdicts and the checks of statements rest on.

    reading      "\\frac{1+\\sqrt{5}}{2}" as a value, or Unread where its meaning is not certain
    algebra      adds, multiplies and compares values, takes roots and powers, counts the work
    enclosure    bounds of a value, rounded outwards: what proves that two differ
    polynomial   what values are made of: quotients of polynomials with rational coefficients

A text is never evaluated as code, a value never rounded. Nothing here knows of answers or traces:
which formula one holds, and what follows if two are equal, is for those who ask.
"""
