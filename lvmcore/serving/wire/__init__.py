"""One connection, one exchange: deadlines, who is let in, and what is written down of it."""
