"""What every stage stands on: records, files, formats, steps, statistics, work on many cores."""
