"""Why a network predicts only the biggest class: causes, the rules that tell them apart, and what to do about each.

Rules read Evidence and nothing else; what they find is a `Suspicion`. `ranking.judge` puts the findings in order.
"""
