"""What a Transformer is: torch alone, without data, training or plots."""
