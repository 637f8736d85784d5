"""WHAT CAN BE DONE about imbalance: decisions with their reasons, and the formulas behind them."""
