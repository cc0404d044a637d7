"""The paper's figures again, of any project at any stage: figures as JSON, drawings as PNG, all of it as one page.

Drawing needs the extra `vegas`; nothing else here does.
"""
