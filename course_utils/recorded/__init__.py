"""Results measured once, with their provenance.

record         Record, save, newest: a measurement, the machine and the versions it was made with
"""

from course_utils.recorded.record import FOLDER, Record, machine, newest, save

__all__ = ["FOLDER", "Record", "machine", "newest", "save"]
