"""What a round measures, and the alarms that follow from it."""
