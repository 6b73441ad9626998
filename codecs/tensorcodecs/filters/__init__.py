"""Filters: they rearrange words, and leave the saving to the stages behind them."""
