"""A new lesson in this course, and a new course with this machinery."""
