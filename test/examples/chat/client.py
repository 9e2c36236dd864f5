"""A terminal client of the exercise (examples/chat/README.md). Options: -a ADDR -p PORT"""
import argparse
import asyncio
import json
import os

import websockets

ESC = "\x1b"
INFO = "info.json"


def show(text):
    fields = text.split(ESC)
    if len(fields) == 4:
        time, color, pseudo, text_of_message = fields
        print(f"{time} {ESC}[38;5;{int(color)}m{pseudo}{ESC}[0m{text_of_message}", flush=True)
    else:
        print(" ".join(fields), flush=True)


async def enter(connection):
    if os.path.exists(INFO):
        with open(INFO, encoding="utf-8") as file:
            await connection.send("ID|" + json.load(file)["ID"])
        if await connection.recv() != "200":
            raise SystemExit("Connection rejected")
        return
    pseudo = ""
    while not pseudo:
        pseudo = (await asyncio.to_thread(input)).strip()
    await connection.send("Hello|" + pseudo)
    word, uuid = (await connection.recv()).split("|")
    assert word == "ID"
    with open(INFO, "w", encoding="utf-8") as file:
        json.dump({"ID": uuid}, file)


async def listen(connection):
    async for text in connection:
        show(text)


async def talk(connection):
    while True:
        try:
            text = await asyncio.to_thread(input)
        except EOFError:
            return
        if text:
            await connection.send(text)


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("-a", default="127.0.0.1")
    options.add_argument("-p", type=int, default=8888)
    place = options.parse_args()
    async with websockets.connect(f"ws://{place.a}:{place.p}") as connection:
        await enter(connection)
        tasks = [asyncio.create_task(listen(connection)), asyncio.create_task(talk(connection))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


asyncio.run(main())
