"""The registered model: its versions and its champion."""
