"""How an answer is tried and judged; it knows no lesson.

model        what an exercise is: prompt, stub, inputs, solution, known mistakes
catalogue    the exercises of each lesson, found by id
commands     check, hint, solution, progress, reset, quiz: what a learner calls
ask          sends an answer to the child process and waits
process      the child, as seen from here; worker: what runs in it
outcomes     what a function gives on each input; compare: how two values differ
judge        the verdict on an answer; explain: the words for an error
stub         whether an answer is still the stub
progress     what a learner has solved, in one file
quiz         a question to answer before running anything
"""
