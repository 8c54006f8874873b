"""The figures of the lessons, one module per lesson; each function draws tested data and returns a figure."""
