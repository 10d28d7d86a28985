"""What is told of a benchmark: tables, sheets, pages with charts, in two languages."""
