"""What sixteen bits bring on a GPU: tasks, measurement, record.

tasks              the nets that are trained
measure            time, memory and loss of each precision
timing             time on a device
record             the newest recorded run, and what it says
"""
