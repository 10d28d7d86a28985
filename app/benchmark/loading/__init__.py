"""Load: readers in a closed loop, arrivals at a rate."""
