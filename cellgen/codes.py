CODES={f"CG{i}":None for i in range(100,700)}
