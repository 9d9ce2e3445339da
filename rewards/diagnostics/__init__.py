"""Checks of a panel: health, calibration, canaries, and the proxy guard."""
