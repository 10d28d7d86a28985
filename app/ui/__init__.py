"""The page: Chat, Library and Engines, in English and Chinese. The only floor that imports streamlit."""
