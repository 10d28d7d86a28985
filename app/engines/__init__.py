"""Language models behind one protocol; ``registry`` names them and chooses."""
