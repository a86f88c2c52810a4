"""What a search may be asked for, and its defaults: importable without Optuna."""

LEARNING_RATE = "learning_rate"
DEFAULT_RATES = "1e-6,1e-4"

# The objective that is known after every epoch.
VAL_LOSS = "val_loss"

SAMPLERS = ("tpe", "random", "grid", "qmc", "cmaes")
PRUNERS = ("median", "none", "hyperband")

DEFAULT_STORAGE = "sqlite:///mlruns/optuna.db"
