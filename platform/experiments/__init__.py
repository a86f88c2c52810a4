"""What is built of all the rest: evaluation, the paper's experiment, the demo."""
