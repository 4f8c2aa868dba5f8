"""The words that stand in and around formulas: what they do, and where a formula ends."""

from __future__ import annotations

NUMBERS = {
    word: value
    for value, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
            *("seventeen", "eighteen", "nineteen", "twenty"),
        )
    )
}
SCALES = {
    **{"dozen": 12, "dozens": 12, "hundred": 100, "thousand": 10**3, "million": 10**6},
    **{"billion": 10**9, "trillion": 10**12},
}
# What a word before an operand does to it.
SHARES = {"half": "(1/2)*", "twice": "2*", "double": "2*", "triple": "3*", "negative": "-"}
# Words between two operands. Longer ones come first.
OPERATORS = (
    (("multiplied", "by"), "*"),
    (("times",), "*"),
    (("divided", "by"), "/"),
    (("added", "to"), "+"),
    (("plus",), "+"),
    (("minus",), "-"),
    (("modulo",), "mod"),
    (("mod",), "mod"),
    (("to", "the", "power", "of"), "^"),
    (("raised", "to", "the", "power", "of"), "^"),
    (("choose",), "choose"),
)
# Words behind one operand.
BEHIND = {"squared": "^{2}", "cubed": "^{3}", "percent": "%", "factorial": "!"}
# Verbs that state what a formula before them is.
IS = frozenset({"is", "equals", "gives", "makes", "yields", "becomes"})
ARTICLES = frozenset({"the", "a", "an", "another"})

# Words of a sentence: a formula does not go on over them, as it does over a unit.
STOP = frozenset(
    (
        *("is", "are", "was", "were", "be", "been", "am", "will", "would", "should", "could"),
        *("can", "may", "might", "must", "have", "has", "had", "do", "does", "did", "not", "no"),
        *("and", "or", "but", "so", "then", "thus", "therefore", "hence", "because", "since"),
        *("if", "when", "where", "which", "that", "this", "these", "those", "there", "here"),
        *("it", "its", "it's", "that's", "they", "them", "their", "he", "his", "she", "her", "him"),
        *("we", "our", "us", "you", "your", "i", "my", "me", "as", "at", "by", "for", "from"),
        *("in", "into", "of", "onto", "over", "than", "to", "up", "with", "without", "while"),
        *("after", "before", "between", "through", "until", "about", "what", "who", "how", "why"),
        *("yes", "yeah", "ok", "okay", "hmm", "wait", "also", "only", "even", "still", "again"),
        *("now", "finally", "first", "next", "gives", "equals", "makes", "yields", "becomes"),
        *("giving", "making", "leaving", "plus", "minus", "times", "divided", "multiplied"),
        *("added", "subtract", "add", "mod", "modulo", "let", "let's", "suppose", "assume"),
        *("both", "either", "neither", "never", "isn't", "aren't", "doesn't", "remainder"),
        *("whereas", "although", "though", "unless", "via", "using", "versus", "vs", "else"),
        *("correct", "right", "exactly", "approximately", "roughly", "around", "nearly"),
        *("tenths", "hundredths", "thousandths", "halves", "thirds", "fourths", "fifths"),
        *("sixths", "eighths", "ninths", "tenth", "hundredth"),
        *("on", "the", "a", "an", "total", "less", "fewer", "more"),
    )
) - {"total", "more", "on"}
# Before a formula, these make it a part of a larger one.
CONTINUES = frozenset(
    (
        *("by", "times", "of", "plus", "minus", "over", "than", "per", "mod", "modulo", "from"),
        *("divided", "multiplied", "subtract", "add", "adding", "subtracting", "another", "base"),
        *("remainder", "factorial", "choose", "to", "the", "a", "an", "with", "between"),
    )
) - {"add", "adding", "the", "to", "with"}
# Before a formula, these give a number that is a label and no operand of it.
LABELS = frozenset(
    (
        *("day", "week", "month", "year", "step", "case", "option", "question", "problem", "part"),
        *("number", "method", "group", "box", "equation", "line", "row", "column", "section"),
        *("page", "round", "class", "grade", "level", "example", "test", "trial", "term", "bag"),
        *("chapter", "room", "bus", "game", "season", "type", "scenario", "approach", "point"),
        *("figure", "table", "node", "index", "position", "digit", "house", "container", "floor"),
        *("mod", "quarter", "train", "player", "team", "january", "february", "march", "april"),
        *("may", "june", "july", "august", "september", "october", "november", "december"),
    )
)
# Before a bare number, these leave it a statement of its own: "so 7 < 9".
PLAIN = frozenset(
    (
        *("so", "thus", "then", "therefore", "hence", "since", "because", "and", "but", "that"),
        *("indeed", "clearly", "as", "while", "where", "yes", "now"),
    )
)
# Behind a formula, these say that it has not ended.
UNFINISHED = frozenset(
    (
        *("plus", "minus", "times", "divided", "multiplied", "mod", "modulo", "choose", "over"),
        *("remainder", "r", "squared", "cubed", "more", "less", "fewer", "fold", "th"),
    )
)

# Units of one kind: a sum of several needs converting first.
KINDS = {
    "time": (
        *("second", "sec", "minute", "min", "hour", "hr", "day", "week", "month", "year"),
        *("decade", "century", "fortnight", "quarter"),
    ),
    "length": (
        *("mm", "cm", "m", "km", "millimeter", "centimeter", "meter", "metre", "kilometer"),
        *("inch", "inche", "feet", "foot", "ft", "yard", "mile", "mi", "in"),
    ),
    "mass": ("g", "gram", "kg", "kilogram", "mg", "ounce", "oz", "pound", "lb", "ton", "tonne"),
    "volume": (
        *("ml", "liter", "litre", "cup", "pint", "quart", "gallon", "tablespoon", "teaspoon"),
        "ounce",
    ),
    "money": ("dollar", "cent", "penny", "pennie", "nickel", "dime", "quarter"),
    "angle": ("radian", "rad", "degree"),
    "count": ("dozen", "pair", "each", "score"),
}
SHORT_UNITS = frozenset(
    (
        *("kg", "cm", "mm", "km", "ml", "mL", "lb", "lbs", "oz", "ft", "hr", "hrs", "min", "mins"),
        *("MUR", "HRK", "BWP", "EUR", "GBP", "INR", "CAD", "AUD"),
        *("sec", "secs", "mph", "kph", "mi", "yd", "am", "pm", "mg", "USD", "pts", "sq", "pcs"),
    )
)


def kinds(units: set[str]) -> bool:
    """Say whether there are two units of one kind."""
    plain = {unit.lower().removesuffix("s").removesuffix(".") for unit in units}
    return any(len(plain & set(members)) > 1 for members in KINDS.values())
