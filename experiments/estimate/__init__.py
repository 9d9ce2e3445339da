"""What a run takes before it is started: arithmetic on shapes, without weights.

``memory`` counts the bytes of each process while it trains and while it samples.
"""
