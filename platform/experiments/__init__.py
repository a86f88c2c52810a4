"""What is built of all the rest: evaluation, ablations, the demo."""
