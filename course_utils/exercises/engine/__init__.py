"""How an answer is tried and judged; it knows no lesson.

model        what an exercise is: prompt, stub, inputs, solution, known mistakes
catalogue    the exercises of each lesson, found by id
commands     check, hint, solution, progress, reset, quiz: what a learner calls
ask          sends an answer to the child process and waits
process      the child, as seen from here; worker: what runs in it; child: how the two speak
outcomes     what a function gives on each input; compare: how two values differ
verdict      right or wrong, from outcomes alone: for check, and for grade
judge        tries an answer, in the child; explain: the words for an error
stub         whether an answer is still the stub
progress_file  what a learner has solved
quizzes      questions to answer before running anything
"""
