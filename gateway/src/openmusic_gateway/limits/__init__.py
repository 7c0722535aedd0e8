"""How much one client may ask for, over all gateways of one installation. docs/adr/0014 says why it is done like this.

``policy`` says what a limit is and how a refusal reads, ``clients`` who it is that asks; ``counting`` counts in Redis
and here; ``rates`` limits what reaches the services, ``attempts`` what is counted by its answer, as failed logins are.
"""
