"""What a bundle's sounds are like, class by class: a judge, cues, statistics, sheets."""
