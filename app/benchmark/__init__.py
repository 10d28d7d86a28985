"""How fast engines answer: load, arrivals, comparisons, and what is told of them."""
