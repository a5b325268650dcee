"""The KBS protocol of Confidential Containers, 0.1.0 to 0.4.0: its messages, without transport. Pure."""
