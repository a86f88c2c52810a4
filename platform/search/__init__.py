"""The search for the best settings: Optuna's studies, each in one tree of MLflow runs."""
