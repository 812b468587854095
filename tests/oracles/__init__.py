"""The shipped cells in plain numpy, each written from its paper; they import nothing of cellgen."""
