"""A model as a web service that can face strangers: bounded in memory, in time and in what it says."""
