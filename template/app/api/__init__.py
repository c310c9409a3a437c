"""HTTP: each endpoint reads its input, calls one function of the domain, and shapes the answer."""
