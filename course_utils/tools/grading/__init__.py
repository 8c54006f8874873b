"""How submitted notebooks are judged, each in a process of its own.

grade        a folder of submissions, a row for each exercise
submissions  which files were handed in, by whom, of which lesson; unpack: out of zips; names: as the
             instructor says
notebooks    a notebook as it is read
process      the process that a submission runs in; child: what runs in it
isolation    what that process may see
values       values of answers, as text that can be sent
judging      the verdict on them
rows         verdicts as a table
"""
