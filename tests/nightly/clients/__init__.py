"""Other people's training loops with our optimizers, layers, schedules and scaler: `make clients`.

Each trains a small net, stops, saves, and goes on from the file in a new net; where it ends is where a plain
loop without a break ends, to the bit. What they are is in clients.txt.
"""
