"""How lessons are run: one after another or side by side, here or on a cluster.

run          the lessons asked for, over worker processes; results: what each leaves behind
execute      one lesson, executed by papermill in a kernel of its own
kernel       that kernel
cluster      the same over the workers of a Dask cluster
fingerprints whether a lesson must run again
progress     the lines that say how far it is
"""
