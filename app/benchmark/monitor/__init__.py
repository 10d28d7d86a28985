"""What a benchmark takes of the machine, and what vLLM says of itself meanwhile."""
